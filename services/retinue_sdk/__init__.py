"""What all parts of Retinue share: the wire contracts, the run directory, dataset formats, the trainer kit, the keeper."""
