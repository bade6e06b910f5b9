"""The domain model: VMs, money, snapshots. Pure, standard library only."""
