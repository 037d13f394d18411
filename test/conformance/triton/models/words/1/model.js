export { default } from '../../../../../../models/words/words.js';
