// libgpiod 2.x behind the API of CDeviceShim.h.
#include "gpio_common.h"
#include <gpiod.h>
#ifndef GPIOD_LINE_BULK_MAX_LINES
#include <poll.h>

struct cdev_chip {
    struct gpiod_chip *chip;
};

struct cdev_request {
    struct gpiod_line_request *request;
    struct gpiod_edge_event_buffer *buffer;  // only with edges
    size_t capacity;
    size_t count;
    uint64_t active_low;
    unsigned offsets[CDEV_MAX_LINES];
    uint64_t sequence[CDEV_MAX_LINES];  // the last of each line, to see gaps
};

const char *cdev_gpiod_version(void) { return gpiod_api_version(); }
int cdev_gpio_has_debounce(void) { return 1; }

cdev_chip *cdev_chip_open(const char *path) {
    if (!path) return errno = EINVAL, NULL;
    cdev_chip *chip = calloc(1, sizeof *chip);
    if (!chip) return NULL;
    chip->chip = gpiod_chip_open(path);
    if (!chip->chip) {
        int error = errno;
        free(chip);
        return errno = error, NULL;
    }
    return chip;
}

void cdev_chip_close(cdev_chip *chip) {
    if (!chip) return;
    gpiod_chip_close(chip->chip);
    free(chip);
}

int cdev_chip_get_info(cdev_chip *chip, cdev_chip_info *info) {
    struct gpiod_chip_info *from = gpiod_chip_get_info(chip->chip);
    if (!from) return -1;
    cdev_copy_name(info->name, gpiod_chip_info_get_name(from));
    cdev_copy_name(info->label, gpiod_chip_info_get_label(from));
    info->lines = (uint32_t)gpiod_chip_info_get_num_lines(from);
    gpiod_chip_info_free(from);
    return 0;
}

int cdev_chip_line_info(cdev_chip *chip, uint32_t offset, cdev_line_info *info) {
    struct gpiod_line_info *from = gpiod_chip_get_line_info(chip->chip, offset);
    if (!from) return -1;
    cdev_copy_name(info->name, gpiod_line_info_get_name(from));
    cdev_copy_name(info->consumer, gpiod_line_info_get_consumer(from));
    info->used = gpiod_line_info_is_used(from);
    info->output = gpiod_line_info_get_direction(from) == GPIOD_LINE_DIRECTION_OUTPUT;
    info->active_low = gpiod_line_info_is_active_low(from);
    gpiod_line_info_free(from);
    return 0;
}

// One settings object for the lines of `mask`, which share everything but their index.
static int add_lines(
    struct gpiod_line_config *config, const cdev_request *request, uint64_t mask, const cdev_settings *settings) {
    static const int bias[] = {
        GPIOD_LINE_BIAS_AS_IS, GPIOD_LINE_BIAS_DISABLED, GPIOD_LINE_BIAS_PULL_UP, GPIOD_LINE_BIAS_PULL_DOWN};
    static const int drive[] = {
        GPIOD_LINE_DRIVE_PUSH_PULL, GPIOD_LINE_DRIVE_OPEN_DRAIN, GPIOD_LINE_DRIVE_OPEN_SOURCE};
    static const int direction[] = {
        GPIOD_LINE_DIRECTION_AS_IS, GPIOD_LINE_DIRECTION_INPUT, GPIOD_LINE_DIRECTION_OUTPUT};
    unsigned offsets[CDEV_MAX_LINES];
    size_t count = 0;
    for (size_t i = 0; i < request->count; i++)
        if (mask >> i & 1) offsets[count++] = request->offsets[i];
    if (!count) return 0;
    struct gpiod_line_settings *to = gpiod_line_settings_new();
    if (!to) return -1;
    gpiod_line_settings_set_active_low(to, (mask & request->active_low) != 0);
    int result = gpiod_line_settings_set_direction(to, direction[settings->direction]);
    if (result == 0 && settings->bias) result = gpiod_line_settings_set_bias(to, bias[settings->bias]);
    if (result == 0 && settings->direction == CDEV_DIRECTION_OUTPUT)
        result = gpiod_line_settings_set_drive(to, drive[settings->drive]);
    if (result == 0 && settings->edges) {
        result = gpiod_line_settings_set_edge_detection(to, GPIOD_LINE_EDGE_BOTH);
        gpiod_line_settings_set_debounce_period_us(to, settings->debounce_us);
    }
    if (result == 0) result = gpiod_line_config_add_line_settings(config, offsets, count, to);
    int error = errno;
    gpiod_line_settings_free(to);
    return result < 0 ? cdev_fail(error) : 0;
}

static struct gpiod_line_config *make_config(const cdev_request *request, const cdev_settings *settings) {
    struct gpiod_line_config *config = gpiod_line_config_new();
    if (!config) return NULL;
    uint64_t all = cdev_all(request->count);
    int result = add_lines(config, request, all & ~request->active_low, settings);
    if (result == 0) result = add_lines(config, request, all & request->active_low, settings);
    if (result == 0 && settings->direction == CDEV_DIRECTION_OUTPUT) {
        // Values go in the order in which lines were added: first the others, then the active-low ones.
        enum gpiod_line_value values[CDEV_MAX_LINES];
        size_t count = 0;
        for (int low = 0; low < 2; low++)
            for (size_t i = 0; i < request->count; i++)
                if ((int)(request->active_low >> i & 1) == low)
                    values[count++] = settings->values >> i & 1 ? GPIOD_LINE_VALUE_ACTIVE : GPIOD_LINE_VALUE_INACTIVE;
        result = gpiod_line_config_set_output_values(config, values, count);
    }
    if (result == 0) return config;
    int error = errno;
    gpiod_line_config_free(config);
    return errno = error, NULL;
}

cdev_request *cdev_chip_request(cdev_chip *chip, const uint32_t *offsets, size_t count, const cdev_settings *settings) {
    if (cdev_check(offsets, count, settings) < 0) return NULL;
    cdev_request *request = calloc(1, sizeof *request);
    if (!request) return NULL;
    struct gpiod_line_config *config = NULL;
    struct gpiod_request_config *common = NULL;
    request->count = count;
    request->active_low = settings->active_low & cdev_all(count);
    for (size_t i = 0; i < count; i++) request->offsets[i] = offsets[i];
    if (settings->edges) {
        request->capacity = settings->event_buffer ? settings->event_buffer : 64;
        request->buffer = gpiod_edge_event_buffer_new(request->capacity);
        if (!request->buffer) goto failed;
    }
    if (!(config = make_config(request, settings)) || !(common = gpiod_request_config_new())) goto failed;
    if (settings->consumer) gpiod_request_config_set_consumer(common, settings->consumer);
    gpiod_request_config_set_event_buffer_size(common, settings->event_buffer);
    request->request = gpiod_chip_request_lines(chip->chip, common, config);
    if (!request->request) goto failed;
    gpiod_request_config_free(common);
    gpiod_line_config_free(config);
    return request;
failed:;
    int error = errno;
    if (common) gpiod_request_config_free(common);
    if (config) gpiod_line_config_free(config);
    if (request->buffer) gpiod_edge_event_buffer_free(request->buffer);
    free(request);
    return errno = error, NULL;
}

void cdev_request_release(cdev_request *request) {
    if (!request) return;
    gpiod_line_request_release(request->request);
    if (request->buffer) gpiod_edge_event_buffer_free(request->buffer);
    free(request);
}

int cdev_request_get(cdev_request *request, uint64_t *values) {
    enum gpiod_line_value each[CDEV_MAX_LINES];
    if (gpiod_line_request_get_values_subset(request->request, request->count, request->offsets, each) < 0) return -1;
    *values = 0;
    for (size_t i = 0; i < request->count; i++) *values |= (uint64_t)(each[i] == GPIOD_LINE_VALUE_ACTIVE) << i;
    return 0;
}

int cdev_request_set(cdev_request *request, uint64_t values, uint64_t mask) {
    unsigned offsets[CDEV_MAX_LINES];
    enum gpiod_line_value each[CDEV_MAX_LINES];
    size_t count = 0;
    for (size_t i = 0; i < request->count; i++) {
        if (!(mask >> i & 1)) continue;
        offsets[count] = request->offsets[i];
        each[count++] = values >> i & 1 ? GPIOD_LINE_VALUE_ACTIVE : GPIOD_LINE_VALUE_INACTIVE;
    }
    return count ? gpiod_line_request_set_values_subset(request->request, count, offsets, each) : 0;
}

int cdev_request_to_input(cdev_request *request) {
    cdev_settings settings = {.direction = CDEV_DIRECTION_INPUT};
    struct gpiod_line_config *config = make_config(request, &settings);
    if (!config) return -1;
    int result = gpiod_line_request_reconfigure_lines(request->request, config);
    int error = errno;
    gpiod_line_config_free(config);
    return result < 0 ? cdev_fail(error) : 0;
}

int cdev_request_wait(cdev_request *request, int wake_fd, int timeout_ms) {
    struct pollfd fds[2] = {
        {gpiod_line_request_get_fd(request->request), POLLIN, 0}, {wake_fd, POLLIN, 0}};
    int ready = poll(fds, 2, timeout_ms);
    if (ready <= 0) return ready;
    return fds[0].revents ? 1 : 2;
}

static int line_index(const cdev_request *request, unsigned offset) {
    for (size_t i = 0; i < request->count; i++)
        if (request->offsets[i] == offset) return (int)i;
    return -1;
}

int cdev_request_read(cdev_request *request, cdev_event *events, size_t capacity) {
    if (!request->buffer) return cdev_fail(EINVAL);
    int ready = gpiod_line_request_wait_edge_events(request->request, 0);
    if (ready <= 0) return ready;
    size_t limit = capacity < request->capacity ? capacity : request->capacity;
    int count = gpiod_line_request_read_edge_events(request->request, request->buffer, limit);
    size_t total = 0;
    for (int i = 0; i < count; i++) {
        struct gpiod_edge_event *event = gpiod_edge_event_buffer_get_event(request->buffer, (unsigned long)i);
        int line = event ? line_index(request, gpiod_edge_event_get_line_offset(event)) : -1;
        if (line < 0) continue;
        uint64_t sequence = gpiod_edge_event_get_line_seqno(event);
        uint64_t gap = sequence > request->sequence[line] ? sequence - request->sequence[line] - 1 : 0;
        request->sequence[line] = sequence;
        events[total++] = (cdev_event){
            gpiod_edge_event_get_timestamp_ns(event), sequence, (uint32_t)line,
            gap > UINT32_MAX ? UINT32_MAX : (uint32_t)gap,
            gpiod_edge_event_get_event_type(event) == GPIOD_EDGE_EVENT_RISING_EDGE};
    }
    return count < 0 ? -1 : (int)total;
}
#endif
