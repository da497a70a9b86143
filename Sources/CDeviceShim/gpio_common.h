// What gpio_v1.c and gpio_v2.c share.
#pragma once
#include "CDeviceShim.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Copies a name that may be NULL or too long.
static inline void cdev_copy_name(char *to, const char *from) {
    size_t length = from ? strnlen(from, CDEV_NAME_SIZE - 1) : 0;
    if (length) memcpy(to, from, length);
    to[length] = 0;
}

static inline int cdev_fail(int error) {
    errno = error;
    return -1;
}

// What a caller may ask for: 1 to 64 different lines, known enumerators.
static inline int cdev_check(const uint32_t *offsets, size_t count, const cdev_settings *settings) {
    if (!offsets || !settings || count < 1 || count > CDEV_MAX_LINES) return cdev_fail(EINVAL);
    if (settings->direction > CDEV_DIRECTION_OUTPUT || settings->bias > CDEV_BIAS_PULL_DOWN ||
        settings->drive > CDEV_DRIVE_OPEN_SOURCE || (settings->edges && settings->direction != CDEV_DIRECTION_INPUT))
        return cdev_fail(EINVAL);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (offsets[i] == offsets[j]) return cdev_fail(EINVAL);
    return 0;
}

static inline uint64_t cdev_all(size_t count) { return count >= 64 ? UINT64_MAX : ((uint64_t)1 << count) - 1; }
