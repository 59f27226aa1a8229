//! TDS as a server sees it: packets, tokens, types. No I/O.
