#!/bin/sh
# Prepares what the Dockerfile copies, in functions/audio/image; with a tag, builds the image as well.
# usage: functions/audio/build-image.sh [TAG]
set -eu
audio=$(cd "$(dirname "$0")" && pwd)
image=$audio/image
cd "$audio/../.."

fail() {
    echo "build-image: $1" >&2
    exit 1
}

# A file is replaced only by another one, so that the engine's cache holds.
put() {
    cmp -s "$1" "$2" || { cp "$1" "$2.new" && mv "$2.new" "$2"; }
}

[ "$(uname -s)" = Linux ] || fail "the image is built on Linux, not on $(uname -s)"
target=$(uname -m)-unknown-linux-gnu
mkdir -p "$image"

folder=${CARGO_TARGET_DIR:-target}/voice-image
RUSTFLAGS="-C target-feature=+crt-static" cargo build --quiet --profile native --target "$target" \
    --target-dir "$folder" -p audio --bin voice
put "$folder/$target/native/voice" "$image/voice"

if [ ! -e "$image/flite" ] || [ "$audio/flite.c" -nt "$image/flite" ]; then
    command -v gcc >/dev/null || fail "gcc is missing (apt-get install gcc libc6-dev)"
    [ -e /usr/include/flite/flite.h ] || fail "flite's libraries are missing (apt-get install flite1-dev)"
    # libflite mentions host names, which it never looks up here: the linker's warning about it is left out.
    gcc -O2 -static -s -o "$image/flite.new" "$audio/flite.c" \
        -lflite_cmu_us_kal16 -lflite_usenglish -lflite_cmulex -lflite -lm 2>"$folder/gcc.log" ||
        fail "flite cannot be linked statically: $(cat "$folder/gcc.log")"
    mv "$image/flite.new" "$image/flite"
fi

if [ $# -gt 0 ]; then
    command -v docker >/dev/null || fail "docker is missing"
    docker build --quiet --tag "$1" "$audio" >/dev/null
    bytes=$(docker image inspect --format '{{.Size}}' "$1")
    echo "$1: $((bytes / 1000)) kB"
fi
