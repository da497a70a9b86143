#pragma once
// Names that 1.34 calls deprecated are the ones that 1.18 has too.
#define CARES_NO_DEPRECATED
#if __has_include(<ares.h>)
#include <ares.h>
#else
#error "ares.h is missing. Install it with: sudo apt install libc-ares-dev"
#endif
