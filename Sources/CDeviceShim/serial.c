// Serial ports by the kernel's own termios2, which knows every baud rate; glibc's termios.h cannot stand beside it.
#include "CDeviceShim.h"
#include <asm/termbits.h>
#include <errno.h>
#include <linux/serial.h>
#include <string.h>
#include <sys/ioctl.h>

static unsigned data_bits(uint8_t bits) {
    switch (bits) {
    case 5: return CS5;
    case 6: return CS6;
    case 7: return CS7;
    default: return CS8;
    }
}

int cdev_serial_configure(int file, const cdev_serial *settings) {
    struct termios2 terminal;
    if (ioctl(file, TCGETS2, &terminal) < 0) return -1;
    terminal.c_iflag = PARMRK | INPCK;
    terminal.c_oflag = 0;
    terminal.c_lflag = 0;
    terminal.c_cflag = CREAD | CLOCAL | BOTHER | (BOTHER << IBSHIFT) | data_bits(settings->data_bits);
    if (settings->stop_bits > 1) terminal.c_cflag |= CSTOPB;
    if (settings->parity != CDEV_PARITY_NONE) terminal.c_cflag |= PARENB;
    if (settings->parity == CDEV_PARITY_ODD) terminal.c_cflag |= PARODD;
    if (settings->hardware_flow) terminal.c_cflag |= CRTSCTS;
    terminal.c_ispeed = settings->baud;
    terminal.c_ospeed = settings->baud;
    memset(terminal.c_cc, 0, sizeof terminal.c_cc);
    terminal.c_cc[VMIN] = 1;
    if (ioctl(file, TCSETS2, &terminal) < 0) return -1;
    // A driver that cannot make the rate sets another one and says nothing.
    struct termios2 made;
    if (ioctl(file, TCGETS2, &made) < 0) return -1;
    if (made.c_ospeed < settings->baud - settings->baud / 20 || made.c_ospeed > settings->baud + settings->baud / 20) {
        errno = ERANGE;
        return -1;
    }
    if (settings->rs485) {
        struct serial_rs485 mode;
        memset(&mode, 0, sizeof mode);
        mode.flags = SER_RS485_ENABLED | SER_RS485_RTS_ON_SEND;
        if (ioctl(file, TIOCSRS485, &mode) < 0) return -1;
    }
    return 0;
}

int cdev_serial_waiting(int file) {
    int count = 0;
    return ioctl(file, TIOCOUTQ, &count) < 0 ? -1 : count;
}

int64_t cdev_serial_overruns(int file) {
    struct serial_icounter_struct counters;
    memset(&counters, 0, sizeof counters);
    if (ioctl(file, TIOCGICOUNT, &counters) < 0) return -1;
    return (int64_t)counters.overrun + counters.buf_overrun;
}
