import { CloseButton, Kbd, TextInput } from "@mantine/core";

interface FilterProps {
  id: string;
  className?: string;
  placeholder: string;
  label: string;
  value: string;
  onChange: (text: string) => void;
}

/** Words to filter a page by; `/` goes there, and its id is what a test finds it by. */
export function FilterInput({ id, className, placeholder, label, value, onChange }: FilterProps) {
  return (
    <TextInput
      id={id}
      className={className}
      size="xs"
      type="text"
      placeholder={placeholder}
      aria-label={label}
      autoComplete="off"
      spellCheck={false}
      data-testid={id}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      rightSection={value ? <CloseButton size="xs" aria-label="Clear the filter" onClick={() => onChange("")} /> : <Kbd size="xs">/</Kbd>}
    />
  );
}
