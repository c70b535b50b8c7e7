"""The command line: flags, help, errors as sentences."""
