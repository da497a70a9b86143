#include "CWebAssets.h"

// #embed is C23, and clang has it in every C.
#pragma clang diagnostic ignored "-Wc23-extensions"

// Each file of page/ as bytes of the program (C's #embed: no build step, no resource bundle to find at run time).
static const uint8_t index_html[] = {
#embed "page/index.html"
};
static const uint8_t style_css[] = {
#embed "page/style.css"
};
static const uint8_t page_js[] = {
#embed "page/page.js"
};
static const uint8_t view_js[] = {
#embed "page/view.js"
};
static const uint8_t header_js[] = {
#embed "page/header.js"
};
static const uint8_t hello_js[] = {
#embed "page/hello.js"
};
static const uint8_t model_js[] = {
#embed "page/model.js"
};
static const uint8_t devinfo_js[] = {
#embed "page/devinfo.js"
};
static const uint8_t smq_js[] = {
#embed "page/smq.js"
};
static const uint8_t smq_frames_js[] = {
#embed "page/smq-frames.js"
};
static const uint8_t smq_names_js[] = {
#embed "page/smq-names.js"
};
static const uint8_t smq_settings_js[] = {
#embed "page/smq-settings.js"
};
static const uint8_t demo_html[] = {
#embed "page/demo.html"
};
static const uint8_t demo_css[] = {
#embed "page/demo.css"
};
static const uint8_t demo_js[] = {
#embed "page/demo.js"
};
static const uint8_t demo_course_js[] = {
#embed "page/demo-course.js"
};
static const uint8_t lora_html[] = {
#embed "page/lora.html"
};
static const uint8_t lora_css[] = {
#embed "page/lora.css"
};
static const uint8_t lora_js[] = {
#embed "page/lora.js"
};
static const uint8_t lora_pictures_js[] = {
#embed "page/lora-pictures.js"
};
static const uint8_t apps_html[] = {
#embed "page/apps.html"
};
static const uint8_t apps_css[] = {
#embed "page/apps.css"
};
static const uint8_t apps_js[] = {
#embed "page/apps.js"
};
static const uint8_t status_html[] = {
#embed "page/status.html"
};
static const uint8_t status_css[] = {
#embed "page/status.css"
};
static const uint8_t status_js[] = {
#embed "page/status.js"
};
static const uint8_t status_model_js[] = {
#embed "page/status-model.js"
};
static const uint8_t favicon_svg[] = {
#embed "page/favicon.svg"
};

#define JAVASCRIPT "text/javascript; charset=utf-8"

const cweb_asset cweb_assets[] = {
    {"index.html", "text/html; charset=utf-8", index_html, sizeof index_html},
    {"style.css", "text/css; charset=utf-8", style_css, sizeof style_css},
    {"page.js", JAVASCRIPT, page_js, sizeof page_js},
    {"view.js", JAVASCRIPT, view_js, sizeof view_js},
    {"header.js", JAVASCRIPT, header_js, sizeof header_js},
    {"hello.js", JAVASCRIPT, hello_js, sizeof hello_js},
    {"model.js", JAVASCRIPT, model_js, sizeof model_js},
    {"devinfo.js", JAVASCRIPT, devinfo_js, sizeof devinfo_js},
    {"smq.js", JAVASCRIPT, smq_js, sizeof smq_js},
    {"smq-frames.js", JAVASCRIPT, smq_frames_js, sizeof smq_frames_js},
    {"smq-names.js", JAVASCRIPT, smq_names_js, sizeof smq_names_js},
    {"smq-settings.js", JAVASCRIPT, smq_settings_js, sizeof smq_settings_js},
    {"demo.html", "text/html; charset=utf-8", demo_html, sizeof demo_html},
    {"demo.css", "text/css; charset=utf-8", demo_css, sizeof demo_css},
    {"demo.js", JAVASCRIPT, demo_js, sizeof demo_js},
    {"demo-course.js", JAVASCRIPT, demo_course_js, sizeof demo_course_js},
    {"lora.html", "text/html; charset=utf-8", lora_html, sizeof lora_html},
    {"lora.css", "text/css; charset=utf-8", lora_css, sizeof lora_css},
    {"lora.js", JAVASCRIPT, lora_js, sizeof lora_js},
    {"lora-pictures.js", JAVASCRIPT, lora_pictures_js, sizeof lora_pictures_js},
    {"apps.html", "text/html; charset=utf-8", apps_html, sizeof apps_html},
    {"apps.css", "text/css; charset=utf-8", apps_css, sizeof apps_css},
    {"apps.js", JAVASCRIPT, apps_js, sizeof apps_js},
    {"status.html", "text/html; charset=utf-8", status_html, sizeof status_html},
    {"status.css", "text/css; charset=utf-8", status_css, sizeof status_css},
    {"status.js", JAVASCRIPT, status_js, sizeof status_js},
    {"status-model.js", JAVASCRIPT, status_model_js, sizeof status_model_js},
    {"favicon.svg", "image/svg+xml", favicon_svg, sizeof favicon_svg},
};
const size_t cweb_asset_count = sizeof cweb_assets / sizeof cweb_assets[0];
