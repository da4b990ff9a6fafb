/** Names and ids of containers. */

import { randomBytes, randomInt } from "node:crypto";

/** What Docker allows (moby names.RestrictedNamePattern). */
export const NAME_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Digits of an id that are shown, and that name the container's folder at run time. */
export const SHORT_ID = 12;

/** 64 hexadecimal digits; never a short form that reads as a number, as Docker has it. */
export function makeContainerId(): string {
  for (;;) {
    const id = randomBytes(32).toString("hex");
    if (!/^\d+$/.test(id.slice(0, SHORT_ID))) return id;
  }
}

export function shortId(id: string): string {
  return id.slice(0, SHORT_ID);
}

/** A name such as `calm_heron`; with `attempt` above 0 a number follows, for the case that it is taken. */
export function makeContainerName(attempt = 0): string {
  const name = `${pick(ADJECTIVES)}_${pick(NOUNS)}`;
  return attempt === 0 ? name : `${name}${randomInt(10 ** Math.min(attempt, 6))}`;
}

function pick(words: readonly string[]): string {
  return words[randomInt(words.length)] ?? "plain";
}

const ADJECTIVES =
  `able airy amber ample apt arch bold brave brisk bronze calm candid civil clear clever cosy
  crisp curious daring deft eager early earnest easy even fair fleet fond frank fresh frugal gentle glad golden
  grand green handy happy hardy honest humble jolly keen kind lively loyal lucid lucky mellow merry mild modest
  neat nimble noble open patient placid plucky polite proud quick quiet ready rosy sage silver sincere smart
  snug solid spry steady sunny sure swift tidy tranquil true upbeat vivid warm wise witty zesty`.split(
    /\s+/,
  );

const NOUNS =
  `acorn alder anchor arbor aspen badger basin beacon beech birch bison brook canyon cedar cliff
  clover comet coral cove crane creek curlew dale delta dingo dune eagle elder ember falcon fern finch fjord
  gannet garnet glade grove gull harbor hazel heath heron hill ibis inlet island jasper juniper kestrel lagoon
  lark larch linnet lotus lynx maple marten meadow moor moose nettle newt oak oriole osprey otter pebble pine
  plover pond poplar prairie puffin quail quartz raven reed ridge river robin rowan salmon shoal sorrel
  sparrow spruce summit swallow swift tern thistle thrush tundra valley walnut willow wren yarrow`.split(
    /\s+/,
  );
