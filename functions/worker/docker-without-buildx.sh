#!/bin/sh
# `docker` for wrangler where the engine's client has no buildx: drops the two flags of `docker build` that need it.
# Use it as WRANGLER_DOCKER_BIN=functions/worker/docker-without-buildx.sh.
for argument; do
  shift
  case $argument in
    --load | --provenance=false) ;;
    *) set -- "$@" "$argument" ;;
  esac
done
exec docker "$@"
