"""What text is held against: globs, regexes, networks."""
