export { performTask as default } from '../src/fill/task.js'
