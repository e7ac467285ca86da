# rules of this folder; see the Makefile
