/** What is wrong with a file that a person wrote, in one message: the file, each wrong field with its value, and what was expected. */

/** Its message is for the person at the terminal, or in a notice. No stack is of use. */
export class InputFault extends Error {
  override readonly name = 'InputFault';
}
