"""The GSMA RCS messaging API as values, and HTTP exchanges as data."""
