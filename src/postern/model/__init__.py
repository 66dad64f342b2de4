"""Values that the layers share: dataclasses and the interfaces between siblings. No I/O, no clock."""
