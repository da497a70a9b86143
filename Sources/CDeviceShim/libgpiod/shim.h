#pragma once
#if __has_include(<gpiod.h>)
#include <gpiod.h>
#else
#error "gpiod.h is missing. Install it with: sudo apt install libgpiod-dev"
#endif
