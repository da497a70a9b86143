// libgpiod 1.6 behind the API of CDeviceShim.h.
#include "gpio_common.h"
#include <gpiod.h>
#ifdef GPIOD_LINE_BULK_MAX_LINES
#include <poll.h>

struct cdev_chip {
    struct gpiod_chip *chip;
    char path[512];
};

struct cdev_request {
    struct gpiod_chip *chip;  // its own: closing a chip releases its lines in version 1
    struct gpiod_line_bulk lines;
    size_t count;
    int edges;
    uint64_t shadow;  // what was set last: version 1 always writes every line of a request
    uint64_t flip;    // lines that this file inverts, because version 1 has one active-low flag for all
    uint64_t sequence[CDEV_MAX_LINES];
    int8_t last[CDEV_MAX_LINES];  // the last edge of each line, -1 for none
};

const char *cdev_gpiod_version(void) { return gpiod_version_string(); }
int cdev_gpio_has_debounce(void) { return 0; }

cdev_chip *cdev_chip_open(const char *path) {
    if (!path || strlen(path) >= sizeof(((cdev_chip *)0)->path)) return errno = EINVAL, NULL;
    cdev_chip *chip = calloc(1, sizeof *chip);
    if (!chip) return NULL;
    chip->chip = gpiod_chip_open(path);
    if (!chip->chip) {
        int error = errno;
        free(chip);
        return errno = error, NULL;
    }
    strcpy(chip->path, path);
    return chip;
}

void cdev_chip_close(cdev_chip *chip) {
    if (!chip) return;
    gpiod_chip_close(chip->chip);
    free(chip);
}

int cdev_chip_get_info(cdev_chip *chip, cdev_chip_info *info) {
    cdev_copy_name(info->name, gpiod_chip_name(chip->chip));
    cdev_copy_name(info->label, gpiod_chip_label(chip->chip));
    info->lines = gpiod_chip_num_lines(chip->chip);
    return 0;
}

int cdev_chip_line_info(cdev_chip *chip, uint32_t offset, cdev_line_info *info) {
    struct gpiod_line *line = gpiod_chip_get_line(chip->chip, offset);
    if (!line || gpiod_line_update(line) < 0) return -1;
    cdev_copy_name(info->name, gpiod_line_name(line));
    cdev_copy_name(info->consumer, gpiod_line_consumer(line));
    info->used = gpiod_line_is_used(line);
    info->output = gpiod_line_direction(line) == GPIOD_LINE_DIRECTION_OUTPUT;
    info->active_low = gpiod_line_active_state(line) == GPIOD_LINE_ACTIVE_STATE_LOW;
    return 0;
}

static int request_type(const cdev_settings *settings) {
    if (settings->edges) return GPIOD_LINE_REQUEST_EVENT_BOTH_EDGES;
    switch (settings->direction) {
    case CDEV_DIRECTION_INPUT: return GPIOD_LINE_REQUEST_DIRECTION_INPUT;
    case CDEV_DIRECTION_OUTPUT: return GPIOD_LINE_REQUEST_DIRECTION_OUTPUT;
    default: return GPIOD_LINE_REQUEST_DIRECTION_AS_IS;
    }
}

static int request_flags(const cdev_settings *settings, size_t count) {
    static const int bias[] = {
        0, GPIOD_LINE_REQUEST_FLAG_BIAS_DISABLE, GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP,
        GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_DOWN};
    static const int drive[] = {
        0, GPIOD_LINE_REQUEST_FLAG_OPEN_DRAIN, GPIOD_LINE_REQUEST_FLAG_OPEN_SOURCE};
    int flags = bias[settings->bias];
    if (settings->direction == CDEV_DIRECTION_OUTPUT) flags |= drive[settings->drive];
    if ((settings->active_low & cdev_all(count)) == cdev_all(count)) flags |= GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW;
    return flags;
}

cdev_request *cdev_chip_request(cdev_chip *chip, const uint32_t *offsets, size_t count, const cdev_settings *settings) {
    if (cdev_check(offsets, count, settings) < 0) return NULL;
    cdev_request *request = calloc(1, sizeof *request);
    if (!request) return NULL;
    request->chip = gpiod_chip_open(chip->path);
    if (!request->chip) goto failed;
    request->count = count;
    request->edges = settings->edges;
    memset(request->last, -1, sizeof request->last);
    struct gpiod_line_request_config config = {
        settings->consumer, request_type(settings), request_flags(settings, count)};
    uint64_t low = settings->active_low & cdev_all(count);
    request->flip = low == cdev_all(count) ? 0 : low;
    request->shadow = settings->values & cdev_all(count);
    int values[CDEV_MAX_LINES];
    gpiod_line_bulk_init(&request->lines);
    for (size_t i = 0; i < count; i++) {
        struct gpiod_line *line = gpiod_chip_get_line(request->chip, offsets[i]);
        if (!line) goto failed;
        gpiod_line_bulk_add(&request->lines, line);
        values[i] = ((request->shadow ^ request->flip) >> i) & 1;
    }
    if (gpiod_line_request_bulk(&request->lines, &config, values) < 0) goto failed;
    return request;
failed:;
    int error = errno;
    if (request->chip) gpiod_chip_close(request->chip);
    free(request);
    return errno = error, NULL;
}

void cdev_request_release(cdev_request *request) {
    if (!request) return;
    gpiod_line_release_bulk(&request->lines);
    gpiod_chip_close(request->chip);
    free(request);
}

int cdev_request_get(cdev_request *request, uint64_t *values) {
    int each[CDEV_MAX_LINES] = {0};
    if (gpiod_line_get_value_bulk(&request->lines, each) < 0) return -1;
    uint64_t bits = 0;
    for (size_t i = 0; i < request->count; i++) bits |= (uint64_t)(each[i] != 0) << i;
    *values = bits ^ request->flip;
    return 0;
}

int cdev_request_set(cdev_request *request, uint64_t values, uint64_t mask) {
    uint64_t all = (request->shadow & ~mask) | (values & mask & cdev_all(request->count));
    uint64_t raw = all ^ request->flip;
    int each[CDEV_MAX_LINES];
    for (size_t i = 0; i < request->count; i++) each[i] = (raw >> i) & 1;
    if (gpiod_line_set_value_bulk(&request->lines, each) < 0) return -1;
    request->shadow = all;
    return 0;
}

int cdev_request_to_input(cdev_request *request) {
    return gpiod_line_set_direction_input_bulk(&request->lines);
}

int cdev_request_wait(cdev_request *request, int wake_fd, int timeout_ms) {
    struct pollfd fds[CDEV_MAX_LINES + 1];
    for (size_t i = 0; i < request->count; i++) {
        int fd = gpiod_line_event_get_fd(gpiod_line_bulk_get_line(&request->lines, i));
        fds[i] = (struct pollfd){fd, POLLIN | POLLPRI, 0};
    }
    fds[request->count] = (struct pollfd){wake_fd, POLLIN, 0};
    int ready = poll(fds, request->count + 1, timeout_ms);
    if (ready <= 0) return ready;
    return ready == 1 && fds[request->count].revents ? 2 : 1;
}

int cdev_request_read(cdev_request *request, cdev_event *events, size_t capacity) {
    size_t total = 0;
    for (size_t i = 0; i < request->count && total < capacity; i++) {
        struct gpiod_line *line = gpiod_line_bulk_get_line(&request->lines, i);
        struct pollfd fd = {gpiod_line_event_get_fd(line), POLLIN | POLLPRI, 0};
        if (poll(&fd, 1, 0) <= 0) continue;
        struct gpiod_line_event buffer[16];  // the kernel keeps no more for a line
        size_t room = capacity - total < 16 ? capacity - total : 16;
        int count = gpiod_line_event_read_multiple(line, buffer, room);
        if (count < 0) return total ? (int)total : -1;
        for (int j = 0; j < count; j++) {
            int active = (buffer[j].event_type == GPIOD_LINE_EVENT_RISING_EDGE) ^ ((request->flip >> i) & 1);
            events[total++] = (cdev_event){
                (uint64_t)buffer[j].ts.tv_sec * 1000000000u + (uint64_t)buffer[j].ts.tv_nsec,
                ++request->sequence[i], (uint32_t)i, request->last[i] == active, (uint8_t)active};
            request->last[i] = (int8_t)active;
        }
    }
    return (int)total;
}
#endif
