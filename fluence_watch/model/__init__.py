"""What is watched: machines, money, snapshots. Pure, standard library only."""
