// The web page's files as bytes of the program.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *path;          // as in the URL, without the leading slash: "index.html"
    const char *content_type;  // value of the Content-Type header
    const uint8_t *bytes;
    size_t count;
} cweb_asset;

extern const cweb_asset cweb_assets[];
extern const size_t cweb_asset_count;

// The table, in a form that Swift can read: it does not see arrays without a length.
static inline const cweb_asset *cweb_assets_table(void) { return cweb_assets; }
