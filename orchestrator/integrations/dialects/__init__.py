"""What goes over the wire: one pure file for each way of speaking, none of which opens a connection."""
