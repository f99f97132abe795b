"""Detection rules as files for CrowdStrike LogScale and Falcon NG-SIEM.

The public face is the command line (`orchestrator --help`), the typed client
(`orchestrator.client`), the query language (`orchestrator.cql`) and the engine
(`orchestrator.engine`). Importing this package does nothing else.
"""

__version__ = "0.1.0"
