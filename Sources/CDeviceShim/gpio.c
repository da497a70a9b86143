// What does not depend on libgpiod's version: finding the character devices.
#include "gpio_common.h"
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#define MAX_CHIPS 256

static int by_number(const void *left, const void *right) {
    unsigned l = *(const unsigned *)left, r = *(const unsigned *)right;
    return l < r ? -1 : l > r;
}

int cdev_chip_each(const char *directory, void (*found)(const char *path, void *context), void *context) {
    DIR *dir = opendir(directory);
    if (!dir) return 0;
    unsigned numbers[MAX_CHIPS];
    size_t count = 0;
    char path[512];
    for (struct dirent *entry; count < MAX_CHIPS && (entry = readdir(dir));) {
        unsigned number;
        char rest;
        struct stat status;
        if (sscanf(entry->d_name, "gpiochip%9u%c", &number, &rest) != 1) continue;
        snprintf(path, sizeof path, "%s/gpiochip%u", directory, number);
        if (lstat(path, &status) == 0 && S_ISCHR(status.st_mode)) numbers[count++] = number;
    }
    closedir(dir);
    qsort(numbers, count, sizeof numbers[0], by_number);
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/gpiochip%u", directory, numbers[i]);
        found(path, context);
    }
    return (int)count;
}
