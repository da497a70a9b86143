// I2C through the kernel's i2c-dev (Documentation/i2c/dev-interface.rst).
#include "CDeviceShim.h"
#include <errno.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <sys/ioctl.h>

// What one i2c_msg can hold, and more than i2c-dev's own limit of 8192.
#define MAX_MESSAGE 8192

int cdev_i2c_transfer(int file, uint8_t address, const uint8_t *out, size_t out_count, uint8_t *in, size_t in_count) {
    if (address > 0x7F || out_count > MAX_MESSAGE || in_count > MAX_MESSAGE || (out_count == 0 && in_count == 0)) {
        errno = EINVAL;
        return -1;
    }
    struct i2c_msg messages[2];
    struct i2c_rdwr_ioctl_data data = {.msgs = messages, .nmsgs = 0};
    if (out_count > 0)
        messages[data.nmsgs++] =
            (struct i2c_msg){.addr = address, .flags = 0, .len = (uint16_t)out_count, .buf = (uint8_t *)out};
    if (in_count > 0)
        messages[data.nmsgs++] =
            (struct i2c_msg){.addr = address, .flags = I2C_M_RD, .len = (uint16_t)in_count, .buf = in};
    return ioctl(file, I2C_RDWR, &data) < 0 ? -1 : 0;
}

int cdev_i2c_functions(int file, unsigned long *functions) { return ioctl(file, I2C_FUNCS, functions); }

int cdev_i2c_probe(int file, uint8_t address) {
    unsigned long functions = 0;
    if (cdev_i2c_functions(file, &functions) < 0) return -1;
    // EBUSY where a driver of the kernel owns the address, which also says that something is there.
    if (ioctl(file, I2C_SLAVE, (unsigned long)address) < 0) return -1;
    union i2c_smbus_data value;
    struct i2c_smbus_ioctl_data data = {.command = 0};
    if (functions & I2C_FUNC_SMBUS_QUICK) {
        data.read_write = I2C_SMBUS_WRITE;
        data.size = I2C_SMBUS_QUICK;
        data.data = NULL;
    } else {
        data.read_write = I2C_SMBUS_READ;
        data.size = I2C_SMBUS_BYTE;
        data.data = &value;
    }
    return ioctl(file, I2C_SMBUS, &data) < 0 ? -1 : 0;
}
