/** Critiques without meaning, of the published ones' length (some 250 words), each different; they pass the filter's rules. */
const common = 'the a of and is in that with on it this was for as by from which has not but its'.split(' ');
const rare = (
  'edit image instruction colour object background texture edge shadow light detail change region shape contour surface ' +
  'subject figure scene blur noise artefact faithful partly clearly slightly mostly visible natural odd smooth sharp soft ' +
  'remains appears follows ignores replaces keeps alters adds removes blends looks seems'
).split(' ');

/** The four parts of our JSON form. */
export function drawCritique(random: () => number): Record<'alignment' | 'fidelity' | 'quality' | 'overall', string> {
  const word = () => {
    const words = random() < 0.4 ? common : rare;
    return words[Math.floor(random() * words.length)] ?? 'edit';
  };
  const sentences = () => Array.from({ length: 5 }, () => `${Array.from({ length: 13 }, word).join(' ')}.`).join(' ');
  return { alignment: sentences(), fidelity: sentences(), quality: sentences(), overall: sentences() };
}
