"""What the public may know of how the program is run: counted from rows, told so that nobody is found in it.

`counting` asks the database, `disclosure` decides what of it is told, `months` keeps it, a row a day and the whole
month at its end, and reads it.
"""
