/** Thrown for what only the command line on Node can do; it starts from the beginning then. */
export class NotHere extends Error {}
