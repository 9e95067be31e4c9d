export const percent = (share: number): string => (Number.isNaN(share) ? '?' : `${Math.round(share * 100)} %`);
