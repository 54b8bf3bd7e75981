import { SLACK } from "./escape";

// Where things lie in memory, and what `run` returns.

export const INPUT_SIZE: i32 = 1 << 20;
export const OUTPUT_SIZE: i32 = 1 << 21;
export const MESSAGE_SIZE: usize = 1024;
/** Room in front of the output for the bytes of an unfinished hash stripe. */
const STRIPE: usize = 32;

export const IN: usize = heap.alloc(<usize>INPUT_SIZE + SLACK);
export const OUT: usize = heap.alloc(STRIPE + <usize>OUTPUT_SIZE + SLACK) + STRIPE;
export const OUT_END: usize = OUT + <usize>OUTPUT_SIZE;
export const MESSAGE: usize = heap.alloc(MESSAGE_SIZE);

export const NEEDS_INPUT: i32 = 0;
export const OUTPUT_FULL: i32 = 1;
export const ENDED: i32 = 2;
export const SERVER_ERROR: i32 = 3;
export const MALFORMED: i32 = 4;

export const MAX_PACKET: u32 = 0xffffff;
export const NULL_FIELD: u8 = 0xfb;
