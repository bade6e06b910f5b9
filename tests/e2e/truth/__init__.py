"""Weeks of simulated accounts, and a referee that knows what a perfect watcher would have said.

Two accounts have prepaid VMs, one pays by the second.

    plan.py        the settings: accounts, receivers, maintenance, inhibition
    fleet.py       the accounts, what fails on the wire, and what a poll could see of them
    happenings.py  what happens, by seed; metered.py in the account that pays by the second
    unreadable.py  VMs that the list tells wrongly of: bending.py bends it on its way
    growing.py     fleets that grow
    people.py      who silences and acknowledges
    watcher.py     the daemon, whole, in simulated time; process.py starts and kills it
    post.py        the receivers, and what they got
    run.py         the run: time goes on, things happen, the daemon lives and is killed
    referee/       what must have been said, from what the simulator did and the settings alone

`python -m tests.e2e.truth --seed 7 --days 30` runs it by hand.
"""
