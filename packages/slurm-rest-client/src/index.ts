/** slurm-rest-client: see README.md. */
export const clientVersion = '0.1.0';
