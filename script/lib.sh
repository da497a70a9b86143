# shellcheck shell=bash
# What the scripts beside it share: installing packages and finding Swift. Sourcing it does nothing by itself.

# Says something to the person; standard output belongs to the program that a script starts.
say() { printf '%s\n' "$*" >&2; }

# fail STATUS TEXT...: ends the script. Statuses are those of sysexits: 69 unavailable, 77 permission.
fail() {
    local status=$1
    shift
    say "$@"
    exit "$status"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" >&2; }

# install_packages PACKAGE...: installs those that are missing, and asks for root's rights only then.
install_packages() {
    local package missing=()
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        say "This is no Debian, Raspberry Pi OS or Ubuntu: be sure to have what their packages $* hold."
        return 0
    fi
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        fail 77 "Packages are missing. As root, run: apt-get install ${missing[*]}"
    fi
    say "Installing packages: ${missing[*]}"
    # Without lists, or with old ones, apt does not find packages.
    apt-get install -s -q --no-install-recommends "${missing[@]}" >/dev/null 2>&1 || apt_get update || true
    apt_get install -y --no-install-recommends "${missing[@]}" ||
        { apt_get update && apt_get install -y --no-install-recommends "${missing[@]}"; } ||
        fail 69 "apt-get could not install ${missing[*]}: see above."
}

# What a build needs besides the toolchain: headers of the libraries, C library and linker, git for dependencies.
install_build_packages() {
    local packages=(
        binutils ca-certificates git libc-ares-dev libc6-dev libgpiod-dev liblua5.4-dev libssl-dev pkg-config
    )
    # Every Swift program links libstdc++; g++ brings the version that fits this system.
    compgen -G '/usr/lib/gcc/*/*/libstdc++.so' >/dev/null || packages+=(g++)
    # Swift up to 6.1 links with gold, which Debian 13 has in a package of its own.
    if ! command -v ld.gold >/dev/null && apt-cache show binutils-gold >/dev/null 2>&1; then
        packages+=(binutils-gold)
    fi
    install_packages "${packages[@]}"
}

# Installs the shared libraries that the toolchain in that directory misses.
install_toolchain_libraries() {
    local directory=$1 library package packages=()
    while read -r library; do
        case $library in
        libcurl.so.4) package=libcurl4 ;;
        libedit.so.2) package=libedit2 ;;
        libncurses.so.6) package=libncurses6 ;;
        libsqlite3.so.0) package=libsqlite3-0 ;;
        libtinfo.so.6) package=libtinfo6 ;;
        libuuid.so.1) package=libuuid1 ;;
        libxml2.so.2) package=libxml2 ;;
        libz.so.1) package=zlib1g ;;
        *) continue ;;
        esac
        packages+=("$package")
    done < <(ldd "$directory"/swift "$directory"/swift-build 2>/dev/null | awk '/not found/ { print $1 }' | sort -u)
    [ ${#packages[@]} = 0 ] || install_packages "${packages[@]}"
}

# Puts a Swift of version 6.1 or later into PATH, or says where to get one and ends with 69.
find_swift() {
    local candidate path version found=""
    for candidate in "$(command -v swift || true)" /opt/swift*/usr/bin/swift "$HOME"/.local/share/swiftly/bin/swift \
        "$HOME"/.swiftly/bin/swift /usr/libexec/swift/bin/swift /usr/libexec/swift/*/bin/swift; do
        [ -x "$candidate" ] || continue
        path=$(readlink -f "$candidate")
        install_toolchain_libraries "$(dirname "$path")"
        # Other programs are called swift too.
        version=$("$candidate" --version 2>/dev/null | grep -oE 'Swift version [0-9]+\.[0-9]+' | grep -oE '[0-9.]+$') ||
            continue
        if [ "${version%%.*}" -gt 6 ] || { [ "${version%%.*}" = 6 ] && [ "${version#*.}" -ge 1 ]; }; then
            PATH=$(dirname "$candidate"):$PATH
            export PATH
            return 0
        fi
        found="$candidate is version $version."
    done
    explain_swift "$found"
}

# Where to get Swift for this system and architecture.
explain_swift() {
    local system architecture
    system=$(. /etc/os-release 2>/dev/null && printf '%s' "${PRETTY_NAME:-this system}")
    architecture=$(dpkg --print-architecture 2>/dev/null || uname -m)
    say "This needs Swift 6.1 or later.${1:+ $1}"
    case $architecture in
    amd64 | x86_64 | arm64 | aarch64)
        say "For $system on $architecture, either of these gets it:
  - swiftly, the installer: https://www.swift.org/install/linux/swiftly/
        curl -O https://download.swift.org/swiftly/linux/swiftly-$(uname -m).tar.gz
        tar zxf swiftly-$(uname -m).tar.gz && ./swiftly init
  - the archive for Debian 12 (Raspberry Pi OS is one too), unpacked to /opt/swift:
        https://www.swift.org/install/linux/
Then run this again." ;;
    *) say "There is none for $system on $architecture: Swift needs a 64-bit system (aarch64 or x86_64).
On a Raspberry Pi 3 or later, install the 64-bit Raspberry Pi OS: https://www.raspberrypi.com/software/" ;;
    esac
    exit 69
}

# Prints the options that keep a build within this machine's memory.
build_options() {
    local free
    free=$(awk '/^(MemAvailable|SwapFree):/ { sum += $2 } END { print int(sum / 1024) }' /proc/meminfo)
    if [ "$free" -lt 2048 ]; then
        say "Only $free MB of memory and swap are free: building one file at a time, which takes long."
        say "If the build is killed, add swap and run this again."
        echo "-j 1"
    fi
}

# service_build PRODUCT: sets service_flags to the options of swift build with which a service is built: with Swift's
# libraries inside, since a service sees no toolchain in a home directory.
service_build() {
    service_flags=(-c release --static-swift-stdlib --scratch-path .build-static)
    # The gateway runs beside other things on small boards, and 20,000 frames a second are more than it ever hears.
    [ "$1" != LoRaGateway ] ||
        service_flags=(-c release --static-swift-stdlib --scratch-path .build-small -Xswiftc -Osize)
    # The addresses that are adjusted at each start take 13 kB in this form instead of 1.5 MB, which stay in memory.
    # glibc reads it from 2.36 on (Debian 12), and gold cannot write it.
    if command -v ld.lld >/dev/null && [ "$(printf '2.36\n%s\n' "$(getconf GNU_LIBC_VERSION | cut -d ' ' -f 2)" |
        sort -V | head -n 1)" = 2.36 ]; then
        service_flags+=(-Xswiftc -use-ld=lld -Xlinker -z -Xlinker pack-relative-relocs)
    fi
}
