#include "CWebAssets.h"

static const uint8_t index_html[] = {
#embed "page/index.html"
};

const cweb_asset cweb_assets[] = {
    {"index.html", "text/html; charset=utf-8", index_html, sizeof index_html},
};
const size_t cweb_asset_count = sizeof cweb_assets / sizeof cweb_assets[0];
