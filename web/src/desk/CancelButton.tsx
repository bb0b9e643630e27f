import { Button, Group, Popover, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { cancelOrder } from "@/api/endpoints";
import type { Order } from "@/api/types";
import { notify, notifyFailure } from "@/ui/notices";

/** Asks once, then cancels. */
export function CancelButton({ order, account }: { order: Order; account: string }) {
  const [asking, setAsking] = useState(false);
  const what = `${order.side} ${order.quantity} ${order.symbol}`;
  const cancel = useMutation({
    mutationFn: () => cancelOrder(order.id),
    onSuccess: () => notify("info", "Cancel requested", `${what} in ${account}`),
    onError: notifyFailure("The order was not cancelled"),
    onSettled: () => setAsking(false),
  });
  return (
    <Popover opened={asking} onChange={setAsking} position="left" withArrow trapFocus returnFocus shadow="md">
      <Popover.Target>
        <Button
          size="compact-xs"
          variant="default"
          aria-label={`Cancel ${what} in ${account}`}
          data-testid="order-cancel"
          onClick={(event) => {
            event.stopPropagation();
            setAsking(!asking);
          }}
        >
          Cancel
        </Button>
      </Popover.Target>
      <Popover.Dropdown onClick={(event) => event.stopPropagation()}>
        <Text size="sm" mb="xs">
          Cancel {what} in {account}?
        </Text>
        <Group gap="xs" justify="flex-end">
          <Button size="compact-sm" variant="default" onClick={() => setAsking(false)}>
            Keep it
          </Button>
          <Button size="compact-sm" color="red" loading={cancel.isPending} onClick={() => cancel.mutate()} data-testid="order-cancel-confirm">
            Cancel order
          </Button>
        </Group>
      </Popover.Dropdown>
    </Popover>
  );
}
