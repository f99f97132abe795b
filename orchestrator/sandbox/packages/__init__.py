"""Packages: archives of assets, read, put into a search domain as one, and taken out again.

archive      a zip, opened without trust
manifest     what a package says of itself
content      what is in it, every problem of every file named
installing   into a search domain and out of it
marketplace  archives in a folder, for those who install by name
"""
