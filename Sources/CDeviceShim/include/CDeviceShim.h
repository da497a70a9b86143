// The device side's foreign headers behind a small C API: libgpiod 1.6 and 2.x.
#pragma once
// The version of the libgpiod that the program was linked with, for example "1.6.3".
const char *cdev_gpiod_version(void);
