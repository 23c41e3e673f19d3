#!/bin/bash
# The one job script: it claims the attempt, runs the trainer and writes down how that ended. It is static: nothing is
# interpolated into it, and nothing that it reads is evaluated. attempt.json says what to do. The trainer reads it, this
# script never does.
#
# Environment: CRITIC_ATTEMPT_DIR, CRITIC_PYTHON, CRITIC_TRAINER (absolute paths), PATH, HOME, CRITIC_CHECKPOINT_AFTER
# (seconds, optional), CRITIC_RANKS_PER_NODE (optional), CRITIC_IMAGE with CRITIC_IMAGE_BINDS (optional: Apptainer starts the interpreter in
# this image; folders with commas between); SLURM_JOB_NAME and SLURM_JOB_ID from Slurm. slurmrestd ignores
# #SBATCH lines, so there are none.
#
# Ranks: with CRITIC_RANKS_PER_NODE srun starts so many trainers on each node of the job, else there is one, here. Signals go
# to all of them through srun.
#
# Signals: USR2 and TERM ask for a checkpoint, and so does the script itself after CRITIC_CHECKPOINT_AFTER seconds. USR1
# asks for the stacks of a trainer that is stuck. They go to stacks.txt.
#
# Exit code: the trainer's (128 + n if signal n ended it; of several ranks, the first one's that says why in claim/verdict, else
# the highest) · 0 if another job owns the attempt · 75 if the folder cannot be
# written · 78 if the environment is wrong. A requeued job (SLURM_RESTART_COUNT) counts as a second job: one id an attempt.
set -euo pipefail
umask 0077

say() { printf 'job.sh: %s\n' "$*" >&2; }
now() { date -u '+%Y-%m-%dT%H:%M:%SZ'; }

# The value if it is safe in JSON and in a path, else the word given for it.
safe_word() { # value, word if unsafe
  if [[ "$1" =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$ ]]; then printf '%s' "$1"; else printf '%s' "$2"; fi
}

directory="${CRITIC_ATTEMPT_DIR:-}"
python="${CRITIC_PYTHON:-}"
code="${CRITIC_TRAINER:-}"
if [[ "$directory" != /* || ! -d "$directory" ]]; then
  say "CRITIC_ATTEMPT_DIR: expected the absolute path of a folder, got \"$directory\""
  exit 78
fi

job_id="$(safe_word "${SLURM_JOB_ID:-}" none)"
if ! mkdir -- "$directory/claim" 2>/dev/null; then
  if [[ -d "$directory/claim" ]]; then
    say "another job owns $directory (claim/ is there): job $job_id ends without touching anything"
    exit 0
  fi
  say "cannot write to $directory: claim/ could not be made"
  exit 75
fi

alarm=''
name="$(safe_word "${SLURM_JOB_NAME:-}" unnamed)"
host="$(safe_word "${SLURMD_NODENAME:-${HOSTNAME:-}}" unknown)"
started_at="$(now)"

write_outcome() { # exit code, signal name or nothing
  local signal=null temporary="$directory/.outcome.json.tmp"
  if [[ -n "$2" ]]; then signal="\"$(safe_word "$2" unknown)\""; fi
  {
    printf '{"schema":1,"name":"%s","job_id":"%s","host":"%s","exit_code":%d,"signal":%s,"started_at":"%s","ended_at":"%s"}\n' \
      "$name" "$job_id" "$host" "$1" "$signal" "$started_at" "$(now)" >"$temporary" &&
      sync -- "$temporary" &&
      mv -T -- "$temporary" "$directory/outcome.json"
  } || say "outcome.json could not be written; exit code $1 stands"
}

end() { # exit code, signal name or nothing
  # Slurm may signal every process of the job. date, sync and mv must not die of that.
  trap '' USR1 USR2 TERM
  if [[ -n "$alarm" ]]; then kill -KILL "$alarm" 2>/dev/null || true; fi
  write_outcome "$1" "$2"
  exit "$1"
}

image="${CRITIC_IMAGE:-}"
trainer=("$python" -P -m critic_trainer)
if [[ -n "$image" ]]; then
  if [[ "$image" != /* || ! -e "$image" || "$python" != /* ]]; then
    say "CRITIC_IMAGE, CRITIC_PYTHON: expected absolute paths of an image and of a program in it, got \"$image\", \"$python\""
    end 78 ''
  fi
  if ! command -v apptainer >/dev/null; then
    say "apptainer is not on this node's PATH ($PATH), and CRITIC_IMAGE is \"$image\""
    end 78 ''
  fi
  trainer=(apptainer exec --nv --bind "${CRITIC_IMAGE_BINDS:-$directory}" "$image" "${trainer[@]}")
elif [[ "$python" != /* || ! -x "$python" || -d "$python" ]]; then
  say "CRITIC_PYTHON: expected the absolute path of a program, got \"$python\""
  end 78 ''
fi
if [[ "$code" != /* || ! -f "$code/critic_trainer/__main__.py" ]]; then
  say "CRITIC_TRAINER: expected the absolute path of a folder with critic_trainer/, got \"$code\""
  end 78 ''
fi

forward() { # signal name
  local pid='' signal="$1"
  # TERM would end srun itself. To the trainer both ask for a checkpoint.
  if [[ -n "${CRITIC_RANKS_PER_NODE:-}" && "$signal" == TERM ]]; then signal=USR2; fi
  read -r pid 2>/dev/null <"$directory/claim/pid" || true
  if [[ "$pid" =~ ^[0-9]+$ ]]; then kill -s "$signal" "$pid" 2>/dev/null || true; fi
}

request_checkpoint() { # signal name
  say "got $1: asking for a checkpoint"
  : >"$directory/checkpoint-requested" || say "checkpoint-requested could not be written"
  forward "$1"
}
trap 'request_checkpoint USR2' USR2
trap 'request_checkpoint TERM' TERM
trap 'say "got USR1: asking for the stacks"; forward USR1' USR1

# Before the time limit the script signals itself: slurmrestd of 22.05 cannot have a batch shell signalled, and whoever
# submitted the job may be dead by then. It sleeps for short times, so that nothing is left for long when it is killed.
ring_after() { # seconds
  trap '' USR1 USR2 TERM
  while kill -0 "$$" 2>/dev/null; do
    if ((SECONDS >= $1)); then
      kill -s USR2 "$$"
      break
    fi
    sleep 2
  done
}
if [[ "${CRITIC_CHECKPOINT_AFTER:-}" =~ ^[1-9][0-9]{0,6}$ ]]; then
  ring_after "$CRITIC_CHECKPOINT_AFTER" >/dev/null 2>&1 &
  alarm=$!
  disown "$alarm" # else bash writes into the job's log that it was killed
fi

# srun in place of this shell. When a rank has ended, the others have half a minute to end too: the first one ends first, whatever it
# has to publish (critic_trainer/ranks.py). slurmstepd gives its children the
# default for signals, so the signals are ignored anew until Python has its handlers.
start_ranks() {
  local nodes="${SLURM_JOB_NUM_NODES:-1}" cpus=$((${SLURM_CPUS_PER_TASK:-1} / ranks))
  exec srun --nodes="$nodes" --ntasks="$((nodes * ranks))" --ntasks-per-node="$ranks" --cpus-per-task="$((cpus > 0 ? cpus : 1))" \
    --export=ALL --mpi=none --input=none --unbuffered --kill-on-bad-exit=0 --wait=30 \
    /bin/bash -c 'trap "" USR1 USR2 TERM; exec "$@"' bash "${trainer[@]}"
}

# All three signals are ignored in here, for two reasons. The trainer inherits that until Python has its own handlers: a
# signal that comes while it starts must not kill it, and the file checkpoint-requested is there by then. And if a trap
# interrupts a `wait` at the moment its child ends, the status is lost (bash 5.2 gives -1), so only a wait without traps counts.
# -P: the attempt's folder is not searched for modules.
run_trainer() {
  trap '' USR1 USR2 TERM
  local status=0
  if [[ -n "$ranks" ]]; then
    start_ranks &
  else
    "${trainer[@]}" &
  fi
  printf '%d\n' "$!" >"$directory/claim/pid" || true
  wait "$!" || status=$?
  printf '%d\n' "$status" >"$directory/claim/status" || true
  exit "$status"
}

export HOME="${HOME:-$directory}" PYTHONPATH="$code" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
cd -- "$directory"
ranks=''
if [[ "${CRITIC_RANKS_PER_NODE:-}" =~ ^[1-9][0-9]{0,2}$ ]]; then ranks="$CRITIC_RANKS_PER_NODE"; fi
say "job $job_id ($name) on $host: ${trainer[*]}"
run_trainer &
runner=$!

# A signal ends `wait` early, so it is called again until the child is gone. A full disk leaves no status file. Then the
# runner's own status is used.
while :; do
  status=0
  wait "$runner" || status=$?
  kill -0 "$runner" 2>/dev/null || break
done
read -r written 2>/dev/null <"$directory/claim/status" || written=''
if [[ "$written" =~ ^[0-9]+$ ]]; then status="$written"; fi
# srun gives the highest code of all ranks: one that is killed while it waits for another would hide the other's reason.
if [[ -n "$ranks" ]] && ((status > 0)) && read -r written 2>/dev/null <"$directory/claim/verdict"; then
  if [[ "$written" =~ ^[0-9]+$ ]]; then status="$written"; fi
fi

signal=''
if ((status > 128)); then signal="SIG$(kill -l $((status - 128)))" || signal='unknown'; fi
say "the trainer ended with $status${signal:+ ($signal)}"
end "$status" "$signal"
