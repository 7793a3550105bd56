"""What the ledger tells a memory: what is to be remembered of pictures, and when that has changed.

``changes`` notes, in the transaction that makes it so, of which cases there is something else to remember;
``reading`` says what is to be remembered; ``features`` keeps what a model saw in a picture; ``said`` writes
what memory made of an answer beside the answer; ``facade`` is all of it for everybody else.
"""
