"""Emulators of the clouds: started, waited for and stopped in one place, for the command line and for tests alike."""
