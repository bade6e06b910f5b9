"""What a perfect watcher would say, written from the manual: it shares no code with the watcher's core.

matching.py    labels, matchers, globs, times: what the settings mean
episodes.py    problems, from their begin to their end: `for`, resolved, ended without a message
known.py       what was seen of each VM: since when it is missing, its boundaries, its ports
conditions.py  one small function a rule: what is true at a poll; metered.py of what is paid by the second
bill.py        whether what the API charged is what everything cost
books.py       what was charged when, as polls could see it; budgets.py and spending.py judge by it
judge.py       an account, the receivers and the silences at each poll: what begins and ends
lines.py       what a receiver is due or was told, and what keeps it back
hearing.py     what each receiver must, may and must not be told
answers.py     what `why` must answer about each of them
verdict.py     the comparison with what was told, and the table
"""
