"""What Ray brings: resources, lifetimes, handles, waiting, replacing the dead. Everything else is in haloforge."""
