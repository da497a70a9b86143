/* Semtech's sx1302_hal (libloragw) without a chip: frames come and go over the simulated concentrator's unix socket
 * (lgwsim.py), so that lora_pkt_fwd can be measured beside our gateway. Built by peers.py against the header of a
 * checkout of sx1302_hal. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "loragw_hal.h"

#define RX_LENGTH 300
#define TX_LENGTH 288

static int peer = -1;
static uint64_t started;
static uint8_t pending[RX_LENGTH];
static size_t pending_length;
static uint32_t tx_start, tx_end;
static int has_tx;

static uint64_t monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint32_t ticks(void) { return (uint32_t)(monotonic() - started); }

static int write_all(const uint8_t *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = send(peer, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return -1;
        bytes += sent;
        length -= (size_t)sent;
    }
    return 0;
}

int lgw_start(void) {
    const char *path = getenv("STUB_HAL_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path ? path : "spidev");
    peer = socket(AF_UNIX, SOCK_STREAM, 0);
    if (peer < 0 || connect(peer, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("stub HAL: no simulated concentrator");
        return LGW_HAL_ERROR;
    }
    started = monotonic();
    uint8_t hello[TX_LENGTH] = {0};
    uint32_t high = (uint32_t)(started >> 32), low = (uint32_t)started;
    memcpy(hello, &high, 4);
    hello[4] = 255;
    memcpy(hello + 8, &low, 4);
    return write_all(hello, sizeof hello) == 0 ? LGW_HAL_SUCCESS : LGW_HAL_ERROR;
}

int lgw_stop(void) {
    if (peer >= 0) close(peer);
    peer = -1;
    return LGW_HAL_SUCCESS;
}

/* One-hot factors and other bandwidths in the records, which are those of the older chip. */
static uint32_t factor_of(uint32_t bits) {
    for (uint32_t factor = 7; factor <= 12; factor++)
        if (bits == 2u << (factor - 7)) return factor;
    return 7;
}

int lgw_receive(uint8_t max_pkt, struct lgw_pkt_rx_s *packets) {
    int count = 0;
    while (count < max_pkt) {
        ssize_t got = recv(peer, pending + pending_length, RX_LENGTH - pending_length, MSG_DONTWAIT);
        if (got <= 0) {
            if (got < 0 && (errno == EAGAIN || errno == EINTR)) break;
            return LGW_HAL_ERROR;
        }
        pending_length += (size_t)got;
        if (pending_length < RX_LENGTH) continue;
        pending_length = 0;
        struct lgw_pkt_rx_s *packet = &packets[count++];
        memset(packet, 0, sizeof *packet);
        uint32_t factor;
        memcpy(&packet->freq_hz, pending, 4);
        packet->if_chain = pending[4];
        packet->status = pending[5];
        memcpy(&packet->count_us, pending + 8, 4);
        packet->rf_chain = pending[12];
        packet->modem_id = pending[4];
        packet->modulation = MOD_LORA;
        packet->bandwidth = BW_125KHZ;
        memcpy(&factor, pending + 16, 4);
        packet->datarate = factor_of(factor);
        packet->coderate = pending[20];
        memcpy(&packet->rssic, pending + 24, 4);
        packet->rssis = packet->rssic;
        memcpy(&packet->snr, pending + 28, 4);
        memcpy(&packet->size, pending + 42, 2);
        memcpy(packet->payload, pending + 44, 256);
    }
    return count;
}

uint32_t lgw_time_on_air(const struct lgw_pkt_tx_s *packet) {
    double symbol = (double)(1u << packet->datarate) / 125.0;
    int optimised = symbol >= 16.0, factor = (int)packet->datarate;
    double bits = 8.0 * packet->size - 4.0 * factor + 28 + (packet->no_crc ? 0 : 16);
    double per = 4.0 * (factor - 2 * optimised), blocks = bits > 0 ? (double)(long)((bits + per - 1) / per) : 0;
    return (uint32_t)((packet->preamble + 4.25 + 8 + blocks * (packet->coderate + 4)) * symbol + 0.999);
}

int lgw_send(struct lgw_pkt_tx_s *packet) {
    uint8_t record[TX_LENGTH] = {0};
    uint32_t factor = packet->datarate >= 7 && packet->datarate <= 12 ? 2u << (packet->datarate - 7) : 2;
    memcpy(record, &packet->freq_hz, 4);
    record[4] = packet->tx_mode;
    memcpy(record + 8, &packet->count_us, 4);
    record[12] = packet->rf_chain;
    record[13] = (uint8_t)packet->rf_power;
    record[14] = packet->modulation;
    record[15] = 3;
    memcpy(record + 16, &factor, 4);
    record[20] = packet->coderate;
    record[21] = packet->invert_pol;
    memcpy(record + 24, &packet->preamble, 2);
    record[26] = packet->no_crc;
    memcpy(record + 28, &packet->size, 2);
    memcpy(record + 30, packet->payload, 256);
    tx_start = packet->tx_mode == 0 ? ticks() : packet->count_us;
    tx_end = tx_start + lgw_time_on_air(packet) * 1000;
    has_tx = 1;
    return write_all(record, sizeof record) == 0 ? LGW_HAL_SUCCESS : LGW_HAL_ERROR;
}

int lgw_status(uint8_t chain, uint8_t select, uint8_t *code) {
    (void)chain;
    if (select == RX_STATUS) {
        *code = RX_ON;
        return LGW_HAL_SUCCESS;
    }
    uint32_t now = ticks();
    if (!has_tx || (int32_t)(now - tx_end) >= 0) *code = TX_FREE;
    else *code = (int32_t)(now - tx_start) >= 0 ? TX_EMITTING : TX_SCHEDULED;
    return LGW_HAL_SUCCESS;
}

int lgw_get_instcnt(uint32_t *count) { *count = ticks(); return LGW_HAL_SUCCESS; }
int lgw_get_trigcnt(uint32_t *count) { *count = ticks(); return LGW_HAL_SUCCESS; }
int lgw_get_eui(uint64_t *eui) { *eui = 0xAA55; return LGW_HAL_SUCCESS; }
int lgw_get_temperature(float *celsius) { *celsius = 25; return LGW_HAL_SUCCESS; }
int lgw_abort_tx(uint8_t chain) { (void)chain; has_tx = 0; return LGW_HAL_SUCCESS; }
const char *lgw_version_info(void) { return "stub HAL over a unix socket"; }
int lgw_board_setconf(struct lgw_conf_board_s *conf) { (void)conf; return LGW_HAL_SUCCESS; }
int lgw_rxrf_setconf(uint8_t chain, struct lgw_conf_rxrf_s *conf) { (void)chain; (void)conf; return LGW_HAL_SUCCESS; }
int lgw_rxif_setconf(uint8_t chain, struct lgw_conf_rxif_s *conf) { (void)chain; (void)conf; return LGW_HAL_SUCCESS; }
int lgw_demod_setconf(struct lgw_conf_demod_s *conf) { (void)conf; return LGW_HAL_SUCCESS; }
int lgw_txgain_setconf(uint8_t chain, struct lgw_tx_gain_lut_s *conf) { (void)chain; (void)conf; return LGW_HAL_SUCCESS; }
int lgw_ftime_setconf(struct lgw_conf_ftime_s *conf) { (void)conf; return LGW_HAL_SUCCESS; }
int lgw_sx1261_setconf(struct lgw_conf_sx1261_s *conf) { (void)conf; return LGW_HAL_SUCCESS; }
int lgw_debug_setconf(struct lgw_conf_debug_s *conf) { (void)conf; return LGW_HAL_SUCCESS; }
int lgw_spectral_scan_start(uint32_t hertz, uint16_t scans) { (void)hertz; (void)scans; return LGW_HAL_ERROR; }
int lgw_spectral_scan_get_status(lgw_spectral_scan_status_t *status) { (void)status; return LGW_HAL_ERROR; }
int lgw_spectral_scan_get_results(int16_t levels[static LGW_SPECTRAL_SCAN_RESULT_SIZE],
                                  uint16_t results[static LGW_SPECTRAL_SCAN_RESULT_SIZE]) {
    (void)levels;
    (void)results;
    return LGW_HAL_ERROR;
}
int lgw_spectral_scan_abort(void) { return LGW_HAL_SUCCESS; }
