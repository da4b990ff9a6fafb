/** When something was, and how long ago, in the words of docker/go-units HumanDuration. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** @param milliseconds length; negative counts as none */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / SECOND);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(milliseconds / MINUTE);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(milliseconds / HOUR);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  const days = Math.floor(milliseconds / DAY);
  if (days < 14) return `${days} days`;
  if (days < 60) return `${Math.floor(days / 7)} weeks`;
  if (days < 730) return `${Math.floor(days / 30)} months`;
  return `${Math.floor(days / 365)} years`;
}

/** `2024-05-06 07:08:09 +0000 UTC`; @param seconds since the epoch, 0 for not known */
export function timeOf(seconds: number): string {
  if (seconds === 0) return "N/A";
  return rfcTimeOf(seconds).replace("T", " ").replace("Z", " +0000 UTC");
}

/** `2024-05-06T07:08:09Z`; @param seconds since the epoch, 0 for not known */
export function rfcTimeOf(seconds: number): string {
  return seconds === 0 ? "" : new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}

/** `5 minutes ago`; @param seconds since the epoch, 0 for not known */
export function agoOf(seconds: number): string {
  return seconds === 0 ? "N/A" : `${humanDuration(Date.now() - seconds * 1000)} ago`;
}
