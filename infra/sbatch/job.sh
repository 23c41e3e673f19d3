#!/bin/bash
# The one job script. Static: nothing is ever put into it; everything comes from attempt.json and these variables:
#   CRITIC_ATTEMPT_DIR  absolute folder of the attempt   CRITIC_PYTHON  interpreter   CRITIC_TRAINER  folder on PYTHONPATH
# First act: claim the attempt. Last act: outcome.json. In between: the trainer; USR2 and TERM ask it to checkpoint.
set -euo pipefail
umask 077

dir=${CRITIC_ATTEMPT_DIR:?} python=${CRITIC_PYTHON:?} trainer=${CRITIC_TRAINER:?}
[[ $dir == /* && -d $dir && $python == /* && -x $python && $trainer == /* && -d $trainer ]] || {
  echo "job.sh: CRITIC_ATTEMPT_DIR, CRITIC_PYTHON and CRITIC_TRAINER must be absolute and exist" >&2
  exit 78
}

# Atomic: of two jobs for one attempt the second one leaves at once and touches nothing.
if ! mkdir "$dir/claim" 2>/dev/null; then
  echo "job.sh: attempt already claimed, job ${SLURM_JOB_ID:-?} has nothing to do"
  exit 0
fi
started=$(date -u +%Y-%m-%dT%H:%M:%SZ)

outcome() { # exit code, signal name or empty
  local name host=${SLURMD_NODENAME:-$(hostname -s)} job=${SLURM_JOB_ID:-0} signal=null
  name=$(sed -n 's/^  "name": "\([A-Za-z0-9._-]*\)",*$/\1/p' "$dir/attempt.json" | head -n 1)
  [[ $host =~ ^[A-Za-z0-9._-]+$ ]] || host=unknown
  [[ $job =~ ^[0-9]+$ ]] || job=0
  [[ -z $2 ]] || signal="\"$2\""
  printf '{"schema":1,"name":"%s","job_id":"%s","host":"%s","exit_code":%d,"signal":%s,"started_at":"%s","ended_at":"%s"}\n' \
    "$name" "$job" "$host" "$1" "$signal" "$started" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$dir/.outcome.json"
  sync "$dir/.outcome.json"
  mv "$dir/.outcome.json" "$dir/outcome.json"
}

checkpoint() { : >"$dir/checkpoint-requested"; }
trap checkpoint USR2 TERM

cd "$dir"
PYTHONPATH=$trainer PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 "$python" -m critic_trainer &
pid=$!
# bash runs traps only when `wait` returns, and a trapped signal makes it return early: go on until the child is gone.
code=0
while :; do
  wait "$pid" && code=0 || code=$?
  kill -0 "$pid" 2>/dev/null || break
done

signal=
if ((code > 128)); then signal=SIG$(kill -l $((code - 128)) 2>/dev/null || echo "$((code - 128))"); fi
outcome "$code" "$signal"
exit "$code"
