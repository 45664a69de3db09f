// What the on-screen keyboard offers: ten keys a row at most, so that each is 44 px wide on a screen of 480.

const DIGITS = "1234567890";

const LATIN = ["qwertyuiop", "asdfghjkl-", "zxcvbnm._/"];
const SPANISH = ["qwertyuiop", "asdfghjklñ", "zxcvbnm-._", "áéíóúü¿?¡/"];
const ARABIC = ["ضصثقفغعهخح", "جدشسيبلاتن", "مكطذئءؤرىة", "وزظآأإ-._/"];
// The signs of vowels in reach of the consonants; the second page has the rest.
const BENGALI = ["ািীুূেোৈৌ্", "কখগঘঙচছজঝঞ", "টঠডঢণতথদধন", "পফবভমযরলশষ"];
const BENGALI_MORE = ["অআইঈউঊঋএঐও", "ঔসহড়ঢ়য়ৎংঃ", "ঁৃ।-._/", ""];

function rows(texts) {
  return texts.filter(Boolean).map((text) => graphemes(text));
}

// Letters such as ড় are two code points and one key.
function graphemes(text) {
  const found = [];
  for (const point of text.normalize("NFC")) {
    if (point === "\u09bc") found[found.length - 1] += point;
    else found.push(point);
  }
  return found;
}

const upper = (texts) => texts.map((text) => text.toUpperCase());

/** Per language: what its key is called, its rows, and those behind shift. */
export const LAYOUTS = {
  en: { name: "ABC", pages: [rows([DIGITS, ...LATIN]), rows([DIGITS, ...upper(LATIN)])] },
  es: { name: "Ñ", pages: [rows([DIGITS, ...SPANISH]), rows([DIGITS, ...upper(SPANISH)])] },
  bn: { name: "বাং", pages: [rows([DIGITS, ...BENGALI]), rows([DIGITS, ...BENGALI_MORE])] },
  ar: { name: "ع", pages: [rows([DIGITS, ...ARABIC]), null] },
};
