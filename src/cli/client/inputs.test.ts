import { expect, it } from 'vitest';
import { parametersOf } from './inputs.ts';

const fault = (problem: string): Error => new Error(problem);

it.each([
  ['name:text', { name: 'text' }],
  ['url:http://x:string', { url: 'http://x' }],
  ['n:5:int', { n: 5n }],
  ['x:-0.5:double', { x: -0.5 }],
  ['is:true:bool', { is: true }],
  ['empty:', { empty: '' }],
])('a parameter %s', (text, parameters) => {
  expect(parametersOf([text], fault)).toEqual(parameters);
});

it('of another type is refused', () => {
  expect(() => parametersOf(['n:5:integer'], fault)).toThrow('n:5:integer: type "integer" given, bool, int');
});
