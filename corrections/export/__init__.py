"""What leaves the ledger: frozen snapshots of approved corrections, and how they come back in."""
