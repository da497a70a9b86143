// The device side's foreign headers behind a small C API: libgpiod 1.6 and 2.x.
//
// Every function that can fail returns -1 or NULL with the reason in errno, whatever it did to clean up.
// A request does not depend on the chip it came from. Calls on one request must not overlap, with one exception:
// cdev_request_get may run beside cdev_request_wait and cdev_request_read in another thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Names, labels and consumers have at most 31 characters in the kernel.
#define CDEV_NAME_SIZE 32
// Lines of one request; also the width of the value masks.
#define CDEV_MAX_LINES 64

typedef struct cdev_chip cdev_chip;
typedef struct cdev_request cdev_request;

typedef struct {
    char name[CDEV_NAME_SIZE];   // of this boot, "gpiochip0"
    char label[CDEV_NAME_SIZE];  // of the driver, "pinctrl-bcm2711"
    uint32_t lines;
} cdev_chip_info;

typedef struct {
    char name[CDEV_NAME_SIZE];      // empty when the line has none
    char consumer[CDEV_NAME_SIZE];  // empty when unknown
    uint8_t used;
    uint8_t output;
    uint8_t active_low;
} cdev_line_info;

enum { CDEV_BIAS_AS_IS, CDEV_BIAS_DISABLED, CDEV_BIAS_PULL_UP, CDEV_BIAS_PULL_DOWN };
enum { CDEV_DRIVE_PUSH_PULL, CDEV_DRIVE_OPEN_DRAIN, CDEV_DRIVE_OPEN_SOURCE };
enum { CDEV_DIRECTION_AS_IS, CDEV_DIRECTION_INPUT, CDEV_DIRECTION_OUTPUT };

// Bit i of a mask belongs to the i-th line of the request. Values are logical: 1 is active.
typedef struct {
    const char *consumer;
    uint8_t direction;
    uint8_t bias;
    uint8_t drive;
    uint8_t edges;          // report both edges (input only)
    uint64_t active_low;    // mask
    uint64_t values;        // mask, the first values of outputs
    uint32_t debounce_us;   // only where cdev_gpio_has_debounce()
    uint32_t event_buffer;  // events that the kernel keeps; 0 for its own choice
} cdev_settings;

typedef struct {
    uint64_t timestamp_ns;  // CLOCK_MONOTONIC
    uint64_t sequence;      // of this line, from 1; counted here in libgpiod 1
    uint32_t line;          // index in the request
    uint32_t lost;          // events of this line lost before this one (libgpiod 1: at least)
    uint8_t active;         // 1: became active
} cdev_event;

// The version of the libgpiod that the program was linked with, for example "1.6.3".
const char *cdev_gpiod_version(void);
// Whether debounce_us is honoured (libgpiod 2).
int cdev_gpio_has_debounce(void);

// Calls `found` with the path of every GPIO character device in `directory` (normally "/dev"), in the order of their
// numbers; symbolic links are left out, because Raspberry Pi OS links one chip under two names.
// Returns how many there were.
int cdev_chip_each(const char *directory, void (*found)(const char *path, void *context), void *context);

cdev_chip *cdev_chip_open(const char *path);
void cdev_chip_close(cdev_chip *chip);
int cdev_chip_get_info(cdev_chip *chip, cdev_chip_info *info);
int cdev_chip_line_info(cdev_chip *chip, uint32_t offset, cdev_line_info *info);

cdev_request *cdev_chip_request(cdev_chip *chip, const uint32_t *offsets, size_t count, const cdev_settings *settings);
void cdev_request_release(cdev_request *request);
int cdev_request_get(cdev_request *request, uint64_t *values);
// Sets the lines in `mask` in one system call and leaves the others as they are.
int cdev_request_set(cdev_request *request, uint64_t values, uint64_t mask);
// Makes every line of the request an input.
int cdev_request_to_input(cdev_request *request);

// Waits for an edge or for `wake_fd` (-1: none) to become readable, at most `timeout_ms` (-1: for ever).
// Returns 1 for edges (or both), 2 for wake_fd alone, 0 for the timeout.
int cdev_request_wait(cdev_request *request, int wake_fd, int timeout_ms);
// Reads the edges that are there, at most `capacity`, without waiting. Returns how many.
int cdev_request_read(cdev_request *request, cdev_event *events, size_t capacity);

// A descriptor that becomes readable after cdev_wake_signal; to be closed with close.
int cdev_wake_new(void);
void cdev_wake_signal(int wake_fd);
// Names the calling thread, for debuggers and `top -H`.
void cdev_thread_name(const char *name);
// The C library's words for an error number, in `buffer` or in a constant.
const char *cdev_error_text(int error, char *buffer, size_t size);

// A program to be started.
#define CDEV_MAX_FILES 16
typedef struct {
    const char *path;
    char *const *arguments;    // the first is the program's name, the last NULL
    char *const *environment;  // the last is NULL
    const int *files;          // become the child's 0, 1, 2...; -1 for /dev/null; it gets no others
    size_t file_count;
    int own_group;             // nonzero: a process group of its own, so that a terminal's Ctrl-C does not reach it
    int death_signal;          // what it gets when the thread that started it ends, and so with this process
} cdev_child;

// Starts it. The kernel sends death_signal at the end of the calling THREAD, so that has to be one that lasts.
int cdev_spawn(const cdev_child *child, int *pid);
// Waits until a child has ended, and leaves its id taken.
int cdev_await_exit(int pid);
// Frees the id of a child that has ended. Returns its exit status, or minus the signal that ended it.
int cdev_collect(int pid);

// An I2C bus (/dev/i2c-N). One call is one combined transaction: the bytes are written, then, after a repeated start,
// bytes are read; either part may be empty, but not both. Returns 0, or -1 with errno (ENXIO: no device answered).
int cdev_i2c_transfer(int file, uint8_t address, const uint8_t *out, size_t out_count, uint8_t *in, size_t in_count);
// What the bus can do, as I2C_FUNCS gives it.
int cdev_i2c_functions(int file, unsigned long *functions);
// Whether a device answers at an address: a write of no bytes where the bus has that, else a read of one byte, which
// can change the state of some devices. Returns 0 or -1 with errno.
int cdev_i2c_probe(int file, uint8_t address);

enum { CDEV_PARITY_NONE, CDEV_PARITY_EVEN, CDEV_PARITY_ODD };
typedef struct {
    uint32_t baud;  // any number that the driver can make
    uint8_t data_bits;
    uint8_t stop_bits;
    uint8_t parity;
    uint8_t hardware_flow;  // RTS and CTS
    uint8_t rs485;          // RTS drives the transceiver while bytes are sent
} cdev_serial;

// Makes a serial port raw with these settings. Bytes received in error are marked: FF 00 and the byte; a break is
// FF 00 00, and FF itself comes as FF FF (termios' PARMRK).
int cdev_serial_configure(int file, const cdev_serial *settings);
// Bytes that the kernel has not sent yet.
int cdev_serial_waiting(int file);
// Times that the kernel or the hardware had no room for what came, where the driver counts it; else -1.
int64_t cdev_serial_overruns(int file);
