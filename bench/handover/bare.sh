#!/bin/bash
# One job of the bare chain: sleeps, then leaves a file by which the bench sees that it ended.
sleep "$1"
: >"$2"
