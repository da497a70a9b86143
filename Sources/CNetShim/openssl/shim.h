#pragma once
#if __has_include(<openssl/evp.h>)
#include <openssl/evp.h>
#include <openssl/rand.h>
#else
#error "openssl/evp.h is missing. Install it with: sudo apt install libssl-dev"
#endif
