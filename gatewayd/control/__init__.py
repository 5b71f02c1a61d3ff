"""What people ask of a running daemon: who may ask, over which socket, and how many workers' answers become one."""
