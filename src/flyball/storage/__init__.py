"""Where things are kept: records, ledger and traffic in a database; artifacts, data and runs."""
